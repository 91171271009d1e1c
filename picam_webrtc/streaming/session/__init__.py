"""How a viewer comes and goes: sessions and their WebRTC connections."""
