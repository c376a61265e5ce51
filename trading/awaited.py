"""Actions that have no answer yet."""

from trading.actions import Action, apart


class Awaited:
    """Those of one trader; false when there is none."""

    def __init__(self) -> None:
        self._unanswered: set[tuple[type[Action], str]] = set()

    def __bool__(self) -> bool:
        return bool(self._unanswered)

    def add(self, action: Action) -> None:
        """Wait for its answer, or for those of its halves."""
        self._unanswered |= {(type(each), getattr(each, "client_order_id", "")) for each in apart([action])}

    def answer(self, kind: type[Action], client_order_id: str) -> bool:
        """Take an answer; return whether it was waited for."""
        is_awaited = (kind, client_order_id) in self._unanswered
        self._unanswered.discard((kind, client_order_id))
        return is_awaited

    def undo(self, action: Action) -> None:
        """Wait no more: it will not be carried out."""
        self.answer(type(action), getattr(action, "client_order_id", ""))
