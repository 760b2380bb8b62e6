"""A record of the log, read again as it was when its request was acknowledged."""

import logging
from dataclasses import replace

from ingest.catalogue import Catalogue
from ingest.outcome import TOLD_BEFORE, Refusal
from ingest.rules import Elect
from ingest.segment import Record
from ingest.sender import Sender
from ingest.settings import IngestSettings
from ingest.wires import Taken, take

logger = logging.getLogger(__name__)


def take_again(
    record: Record, settings: IngestSettings, catalogue: Catalogue, elect: Elect
) -> Taken | None:
    """What a record holds; None = nothing of it can be stored any more, which is reported.

    Args:
        record: of the log.
        settings: those it was judged by.
        catalogue: where its series get their numbers.
        elect: told of the replicas in it.
    """
    stated = record.cluster != (settings.default_cluster or "")
    rules = settings.replay_rules(Sender(record.cluster or None), stated=stated)
    taken = take(record.kind, record.payload, catalogue, replace(rules, elect=elect))
    if taken.cause is not None:
        # The rules beside the log could not be read, and today's do not accept it.
        logger.warning("logged samples no longer accepted", extra={"cause": str(taken.cause)})
        return None
    if record.status:
        refusal = Refusal(record.refused, record.status, TOLD_BEFORE)
        taken = replace(taken, written=replace(taken.written, refusal=refusal))
    return taken
