"""Every maximum of the house: no queue, batch, retry or book is without one."""

from typing import Final

PRICE_TICKS_MAX: Final = 100_000_000
QTY_LOTS_MAX: Final = 1_000_000_000_000
ID_MAX: Final = 2**63 - 1
OWNER_MAX: Final = 2**31 - 1
TIME_NS_MAX: Final = 2**63 - 1
SYMBOLS_MAX: Final = 64
ENGINES_MAX: Final = 16  # of a desk
GATEWAYS_MAX: Final = 16  # likewise
SOURCE_MAX: Final = 255  # the largest number of a source; a gateway keeps its own for good
QUOTES_MAX: Final = 200  # that a strategy may want at once; Binance has no more open orders of an account in a pair
MODEL_NAME_MAX: Final = 64  # characters, of the name that a strategy gives to what wants a quote
TRAILING_BPS_MAX: Final = 9_999  # of a trailing order: no price falls by more than all of itself
ICEBERG_PARTS_MAX: Final = 100  # an order may show no less than this part: one sweep must not become a billion trades

# Order ids are handed out by sources without asking anyone: source * ORDER_IDS_PER_SOURCE + n, n from 1.
# Read as a decimal number the source stands in front; up to source 9,000 the id is exact in JavaScript.
# Owners likewise: source * OWNERS_PER_SOURCE + n, n from 0.
ORDER_IDS_PER_SOURCE: Final = 10**12
OWNERS_PER_SOURCE: Final = 65_536

FRAME_BYTES_MAX: Final = 1 << 20  # a frame of the bus, and an unfinished message of a TCP client
SNAPSHOT_BYTES_MAX: Final = 1 << 26  # a frame with every order of a book, 27 bytes each
BATCH_MESSAGES_MAX: Final = 4_096  # messages that an engine takes into its ring at once
RING_SLOTS: Final = 8_192  # a power of two
UNACKNOWLEDGED_FRAMES_MAX: Final = 65_536  # kept by each end of an order link until the other end has them
FEED_HIGH_WATER_MARK: Final = 100_000  # messages queued for one slow subscriber before it has a gap
ORDERS_HIGH_WATER_MARK: Final = 10_000
TCP_SESSIONS_MAX: Final = 64  # of a gateway at once, those whose client is away among them
ORDER_IDS_PER_SESSION: Final = 10**10  # a session's share of its gateway's order ids
COMMANDS_IN_FLIGHT_MAX: Final = 65_536  # not yet handled by the engine; then a gateway stops reading its clients
JOURNAL_FILE_BYTES_MAX: Final = 1 << 28  # of one file of the journal; the next record begins the next file
JOURNAL_FILES_MAX: Final = 100_000
MIRROR_ORDERS_MAX: Final = 262_144  # own orders of a recorded book, as many as an engine holds; a power of two
MIRROR_COMMANDS_MAX: Final = 524_288  # of one that wait for an answer, likewise
HTTP_BODY_BYTES_MAX: Final = 64 * 1024
HTTP_CONNECTIONS_MAX: Final = 512  # open at one server; a process may have 1,024 descriptors
TRADES_KEPT_MAX: Final = 1_000  # recent trades that a replica remembers
IPC_PATH_BYTES_MAX: Final = 107  # sockaddr_un
