"""Throws damaged inputs at a live server; exit code 1 when anybody noticed."""

import argparse
import asyncio
import json
import logging
import secrets
import sys
from dataclasses import asdict

from picam_webrtc_test.fuzz.attacks import ATTACKS
from picam_webrtc_test.fuzz.run import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m picam_webrtc_test.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--only", choices=ATTACKS)
    options = parser.parse_args()
    logging.basicConfig(level=logging.CRITICAL)
    kinds = [options.only] if options.only else list(ATTACKS)
    print(f"seed {options.seed}", flush=True)
    finding = asyncio.run(fuzz({kind: options.count // len(kinds) for kind in kinds}, options.seed))
    print(json.dumps(asdict(finding), indent=1))
    return int(not finding.unnoticed)


if __name__ == "__main__":
    sys.exit(main())
