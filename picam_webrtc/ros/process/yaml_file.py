"""Parameter files as YAML's own nodes, in which a value still is as it was written."""

from pathlib import Path

import yaml

from picam_webrtc.errors import PicamWebrtcError


def documents(path: str) -> list[yaml.Node]:
    """Those of a file that are not empty. Raises PicamWebrtcError, on one line and without naming the file."""
    try:
        found = list(yaml.compose_all(Path(path).read_text(), yaml.SafeLoader))
    except OSError as error:
        raise PicamWebrtcError(f"cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise PicamWebrtcError(f"cannot be read as YAML: {' '.join(str(error).split())}") from error
    return [document for document in found if document is not None]


def parameter_documents(path: str) -> list[yaml.MappingNode]:
    """Those of a parameter file. Raises PicamWebrtcError likewise, for an empty one after `---` too, as rcl does."""
    found = documents(path)
    mappings = [document for document in found if isinstance(document, yaml.MappingNode)]
    if len(mappings) < len(found):
        raise PicamWebrtcError("has no parameters: it must have sections, named by nodes")
    return mappings
