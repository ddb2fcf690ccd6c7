"""A plugin for mypy, to whom ``Source["bronze.flights"]`` is a `polars.LazyFrame`: ``plugins = ["lake.mypy_plugin"]``."""

from collections.abc import Callable

from mypy.plugin import AnalyzeTypeContext, Plugin
from mypy.types import Type

_SOURCE = "lake.promote.declare.Source"
_FRAME = "polars.lazyframe.frame.LazyFrame"


class JobsPlugin(Plugin):
    """Reads the annotation of a job's parameter as the frame that the job is given."""

    def get_type_analyze_hook(self, fullname: str) -> Callable[[AnalyzeTypeContext], Type] | None:
        """The reading of one annotation, None for those of others."""
        if fullname in {_SOURCE, "lake.Source"}:
            return lambda context: context.api.named_type(_FRAME, [])
        return None


def plugin(version: str) -> type[Plugin]:
    """What mypy calls to get the plugin."""
    return JobsPlugin
