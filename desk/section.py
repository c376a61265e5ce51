"""A table of settings, as all of them are."""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict

_Shared = TypeVar("_Shared", bound="Section")


class Section(BaseModel):
    """A table of settings: immutable, and without unknown keys.

    What checks a table is built when one is first checked, and for those within the whole tree once, with it: a default
    is therefore made with `model_construct`, which checks nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    def over(self, shared: _Shared) -> _Shared:
        """Return what holds for all instances, with what this one's row says otherwise."""
        said = self.model_fields_set & type(shared).model_fields.keys()
        return shared.model_copy(update={key: getattr(self, key) for key in said})
