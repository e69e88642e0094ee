"""Answer JSON lines on standard input with JSON lines on standard output.

Import this before bpy: Blender and Infinigen talk on standard output, which from then on goes to
standard error.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable

_ANSWERS = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def serve(work: Callable[[dict], dict]) -> None:
    """Answer jobs until standard input ends; then end this process.

    Args:
        work: makes what is asked for; what it returns goes into the answer, beside the job's
            "name" and an "error", which is None or the text of what was raised.
    """
    for line in sys.stdin:
        job = json.loads(line)
        answer = {"name": job["name"], "error": None}
        try:
            answer |= work(job)
        except Exception as e:  # noqa: BLE001 - one unlucky seed must not stop the others
            traceback.print_exc()
            answer["error"] = f"{type(e).__name__}: {e}".splitlines()[0][:300]
        _ANSWERS.write(json.dumps(answer) + "\n")
    _ANSWERS.flush()
    os._exit(0)  # bpy may crash at the interpreter's end
