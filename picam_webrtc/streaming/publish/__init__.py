"""Streams that go to a media server by WHIP."""
