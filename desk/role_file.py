"""ENGINE.role.json: whether an engine is primary or a standby, and of which term, kept in the run directory for good.

The engine alone writes it: a standby whenever it learns something that it must not forget, before it acts by it. What a
person asks of it stands in ENGINE.promote; the answer is in the role. An engine that has never had to do with a standby
has no such file.
"""

from pathlib import Path
from secrets import randbelow
from typing import Literal

from pydantic import BaseModel, ConfigDict

from desk.run_dir import NodeError
from market.limits import ID_MAX
from market.whole_file import write_whole


class Role(BaseModel):
    """What an engine is.

    Attributes:
        term: counts who has been primary in turn: ours, or the highest that we have heard of.
        records_term: of the primary that the last records of this standby are from.
        role: `unknown` before it was told: its settings say it then.
        who: the number of this standby.
        is_awaited: whether the primary acknowledges nothing that this standby has not kept, as it has last said.
        is_whole: whether this standby has had all of that primary once since it has begun to follow it: from then on
            all that is acknowledged is here.
        asked: which wish to be primary was answered last.
        refusal: why not, empty if it was granted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    term: int = 0
    records_term: int = 0
    role: Literal["unknown", "primary", "standby"] = "unknown"
    who: int = 0
    is_awaited: bool = False
    is_whole: bool = False
    asked: str = ""
    refusal: str = ""

    @classmethod
    def new_standby(cls) -> "Role":
        """Return the role of a standby that knows nothing yet."""
        return cls(role="standby", who=1 + randbelow(ID_MAX))


class RoleFile:
    """The role of one engine.

    Args:
        run_dir: of its desk.
        engine: its name.
    """

    def __init__(self, run_dir: Path, engine: str) -> None:
        self.path = run_dir / f"{engine}.role.json"
        self.wish_path = run_dir / f"{engine}.promote"

    def read(self) -> Role:
        """Return the role.

        Raises:
            NodeError: if the file cannot be read, or is none.
        """
        try:
            return Role.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Role()
        except OSError as error:
            raise NodeError(f"{self.path} cannot be read: {error.strerror}") from None
        except ValueError:
            raise NodeError(f"{self.path} is damaged: two engines may both take themselves for primary") from None

    def write(self, role: Role) -> None:
        """Keep the role for good.

        Raises:
            OSError: if the disk does not take it.
        """
        write_whole(self.path, role.model_dump_json().encode() + b"\n")

    def wish(self, asked: str) -> None:
        """Ask the engine to be primary, under a name of this wish.

        Raises:
            OSError: if the disk does not take it.
        """
        write_whole(self.wish_path, asked.encode())

    def take_wish(self) -> str:
        """Return and forget the name of a wish, empty if there is none.

        Raises:
            OSError: if it cannot be read or removed.
        """
        try:
            asked = self.wish_path.read_text()
        except FileNotFoundError:
            return ""
        self.wish_path.unlink(missing_ok=True)
        return asked
