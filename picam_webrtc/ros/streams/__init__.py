"""The topics behind webrtc_node's streams: found, subscribed to, watched over."""
