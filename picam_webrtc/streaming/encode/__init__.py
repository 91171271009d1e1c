"""A frame becomes coded pictures, once for every rendition that somebody needs."""
