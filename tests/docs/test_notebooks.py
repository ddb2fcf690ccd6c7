"""The notebooks run from top to bottom on a real lake, and are committed without outputs."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from catalog.objects import Endpoint
from lake.demo import drop_new, write_files
from tests.support.projects import project_on, variables
from tests.support.stores import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_is_a_first_notebook() -> None:
    """The one that the README and ``make notebook`` open."""
    assert (ROOT / "notebooks" / "01_explore.ipynb") in NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    """Outputs are data, which does not belong in the repository; and the notebook is valid."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_the_notebooks_run_on_the_demo_lake(
    fast_endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cell runs, on the lake that the demo makes, and no output holds a key."""
    lake = project_on(fast_endpoint, tmp_path / "lake", example="flights")
    drop_new(lake, write_files(tmp_path / "files"), lambda _: None)
    lake.run()
    for name, value in {**variables(fast_endpoint), "LAKE_PROJECT": str(tmp_path / "lake")}.items():
        monkeypatch.setenv(name, value)
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
        shown = nbformat.writes(notebook)
        assert "336776" in shown.replace(",", "") or "silver.flights" in shown
        assert fast_endpoint.secret_key not in shown
