"""What README.md tells a newcomer to type works, and answers what it shows.

A block of shell below `<!-- run -->` is run; a block of JSON directly below that is its answer, in
which "…" stands for whatever it may be. All blocks run in one shell, in their order.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.serving.servers import ENVIRONMENT, started

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(
    r"^<!-- run -->\n```(?:sh|bash)\n(?P<script>.*?)^```$(?:\n{1,2}```json\n(?P<answer>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
WRITTEN_ADDRESS = re.compile(r"\b(localhost|127\.0\.0\.1):8000\b")
ANYTHING = "…"
END = "--- the block has ended with"
SECONDS_AT_MOST = 120


@dataclass(frozen=True)
class Block:
    """A block of shell and the answer that is shown below it, if one is."""

    script: str
    answer: str | None


def blocks_of(text: str) -> list[Block]:
    """The blocks that are to be run."""
    return [Block(found["script"], found["answer"]) for found in BLOCK.finditer(text)]


def outputs(blocks: list[Block], address: str) -> list[str]:
    """What each block prints; fails at the first that ends with another code than 0."""
    script = "".join(
        f"{WRITTEN_ADDRESS.sub(address, block.script)}\nprintf '\\n{END} %s\\n' $?\n"
        for block in blocks
    )
    bash = shutil.which("bash")
    assert bash, "the examples need bash"
    result = subprocess.run(
        [bash, "-o", "pipefail"],
        input=script,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=SECONDS_AT_MOST,
    )
    pieces = re.split(rf"\n{END} (\d+)\n", result.stdout)
    codes = pieces[1::2]
    assert codes == ["0"] * len(blocks), (result.stdout, result.stderr)
    return pieces[:-1:2]


def differences(shown: Any, answered: Any, path: str = "$") -> list[str]:
    """Where the answer is not what is shown."""
    if shown == ANYTHING:
        return []
    if isinstance(shown, dict) and isinstance(answered, dict) and shown.keys() == answered.keys():
        return [
            line
            for key in shown
            for line in differences(shown[key], answered[key], f"{path}.{key}")
        ]
    if isinstance(shown, list) and isinstance(answered, list) and len(shown) == len(answered):
        pairs = enumerate(zip(shown, answered, strict=True))
        return [line for at, pair in pairs for line in differences(*pair, f"{path}[{at}]")]
    same = type(shown) is type(answered) and shown == answered
    return [] if same else [f"{path}: shown {shown!r}, answered {answered!r}"]


def test_what_the_readme_shows_works(tmp_path: Path) -> None:
    blocks = blocks_of(README.read_text(encoding="utf-8"))
    assert blocks, "README.md has no example to run: mark one with <!-- run -->"
    assert any(block.answer for block in blocks)
    assert shutil.which("curl"), "the examples need curl"
    words = ("--demo", "--port", "0", "--data", str(tmp_path / "data"))
    with started(*words, cwd=tmp_path) as server:
        printed = outputs(blocks, server.url.removeprefix("http://"))
        assert server.stop() == 0
    assert server.complaints == []
    for block, output in zip(blocks, printed, strict=True):
        if block.answer is not None:
            told = json.loads(output)
            assert set(told.pop("extensions")) == {"cost"}  # of the caller's budget: not shown
            assert differences(json.loads(block.answer), told) == []


SAMPLE = """
<!-- run -->
```bash
A=1
```

<!-- run -->
```sh
echo $A http://localhost:8000/
```

```json
1
```

```sh
rm -rf /
```
```json
2
```
"""


def test_blocks_are_found_with_their_answers() -> None:
    first, second = blocks_of(SAMPLE)
    assert first == Block("A=1\n", None)
    assert second == Block("echo $A http://localhost:8000/\n", "1\n")
    assert outputs([first, second], "here:81") == ["", "1 http://here:81/\n"]


def test_an_answer_is_compared_in_full() -> None:
    assert differences({"a": "…", "b": [1]}, {"a": {"x": 1}, "b": [1]}) == []
    assert differences({"a": "…"}, {"a": 1, "b": 2}) == [
        "$: shown {'a': '…'}, answered {'a': 1, 'b': 2}"
    ]
    assert differences([1, {"a": 2}], [1, {"a": 3}]) == ["$[1].a: shown 2, answered 3"]
    assert differences([True], [1]) == ["$[0]: shown True, answered 1"]


def test_the_typescript_that_is_shown_is_what_is_tried() -> None:
    tried = (README.parent / "tests" / "clients" / "laurel.ts").read_text(encoding="utf-8")
    assert f"```ts\n{tried}```\n" in README.read_text(encoding="utf-8")
