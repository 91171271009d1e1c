"""Encode once, send to every viewer: no ROS, no HTTP.

Five rooms, each of which imports only from those below it:

    publish/   we go to a media server
    session/   a viewer comes and goes
    fanout/    every viewer gets what it can take
    rtp/       a coded picture becomes packets on their way
    encode/    a frame becomes coded pictures

web/ and ros/ see of them: `Stream`, which takes frames and detections, its `Viewer` and what goes out, `EncodedFrame`
(of a `Codec`, counted by `OutletCounts`) and `JpegPicture`; `Sessions` of viewers and `Publishers` to media servers;
and how all that does, as values: `SessionsSnapshot` with its `StreamSnapshot`, `RenditionSnapshot` and
`ViewerSnapshot`, `PublishSnapshot` with its `PublishState`.
"""
