"""What a person sets of the quoting model while the maker runs: read from desk.json, and answered in `status`."""

from desk.desk_file import DESK_FILE, kept_settings
from desk.live_settings import LIVE, live_texts, with_changes
from desk.outlet import log_file
from desk.settings import SettingsError
from desk.strategy import quoting_model
from nodes.node import Node
from trading.model_strategy import ModelStrategy
from trading.strategy import Strategy


class MakerTuning:
    """The model of a strategy, as it is set now. A strategy of one's own has none, nor has a maker without a desk."""

    def __init__(self, node: Node, strategy: Strategy) -> None:
        self._node = node
        self._strategy = strategy
        self._settings = node.settings
        self._mark: tuple[int, int, int] | None = None
        if isinstance(strategy, ModelStrategy):
            node.show(settings=live_texts(self._settings))

    def follow(self) -> None:
        """Let the model be as it is set now; what is another one than before is logged, and in force from now on."""
        if not isinstance(self._strategy, ModelStrategy) or log_file() is None or not self._is_news():
            return
        before = live_texts(self._settings)
        try:
            kept = kept_settings(self._settings.run_dir)
            found = before if kept is None else {key: kept.settings.get(key, "") for key in LIVE}
            changes = {key: text for key, text in found.items() if text != before[key]}
            if not changes:
                return
            self._settings = with_changes(self._settings, changes, DESK_FILE)
        except SettingsError as error:
            self._node.log.warning("settings cannot be read; they stay as they were", why=str(error))
            return
        self._strategy.retune(quoting_model(self._settings))
        for key, text in changes.items():
            self._node.log.warning("set", key=key, before=before[key], now=text)
        self._node.show(settings=live_texts(self._settings))
        self._node.beat()

    def _is_news(self) -> bool:
        """Whether the file is another one than when this was last asked."""
        try:
            found = (self._settings.run_dir / DESK_FILE).stat()
        except OSError:
            return False  # nothing can be read of it; what is set stays
        mark = found.st_ino, found.st_size, found.st_mtime_ns
        is_news, self._mark = mark != self._mark, mark
        return is_news
