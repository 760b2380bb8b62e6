"""Everything that one process runs, built once from the settings and handed to the API."""

from dataclasses import dataclass

from ingest.receiver import Receiver
from lake import Clock, Lake, utc_now
from orchestration.adviser_rounds import AdviserRounds
from orchestration.failures import Failure
from orchestration.forecaster import Forecaster
from orchestration.maintainer import Maintainer
from orchestration.opening import open_lake
from orchestration.scraper import Scraper
from orchestration.settings import Settings
from orchestration.steps.incidents.live import Live
from orchestration.steps.kept_feedback import KeptFeedback
from orchestration.steps.tick import Ticker
from orchestration.watchers import Watchers
from orchestration.worker import Worker


@dataclass(frozen=True)
class Service:
    """Lake, receiver and the loops around them, of one process."""

    settings: Settings
    lake: Lake
    receiver: Receiver
    worker: Worker
    scraper: Scraper
    watchers: Watchers
    maintainer: Maintainer
    forecaster: Forecaster
    adviser: AdviserRounds
    feedback: KeptFeedback
    clock: Clock

    @classmethod
    def build(cls, settings: Settings, clock: Clock = utc_now) -> "Service":
        """Open the lake, replay the log; nothing runs yet.

        Raises:
            LogLockedError, LogCorruptError: see `ingest.receiver.Receiver`.
            LakeError: see `lake.Lake.open`.
        """
        lake = open_lake(settings, clock)
        receiver = Receiver(lake, settings.receiver_dir, settings.ingest, clock)
        pulled = [source.cluster for source in settings.sources]
        feedback = KeptFeedback()
        live = Live(lake, settings.detection, settings.incidents, feedback)
        worker = Worker(receiver, Ticker(lake, settings.detection, pulled), clock, live=live)
        scraper = Scraper(receiver, settings.scrapes, clock)
        watchers = Watchers(settings.kubernetes, receiver, settings.kubernetes_dir, clock)
        maintainer = Maintainer(lake, settings.maintenance, clock)
        forecaster = Forecaster(lake, settings.forecasts, clock)
        adviser = AdviserRounds(lake, settings.advice, clock)
        return cls(
            settings,
            lake,
            receiver,
            worker,
            scraper,
            watchers,
            maintainer,
            forecaster,
            adviser,
            feedback,
            clock,
        )

    def failing_rounds(self) -> dict[str, Failure]:
        """Rounds beside the worker's that fail: what is taken and scored does not need them."""
        beside = (self.forecaster, self.adviser, self.maintainer)
        return {what: why for one in beside for what, why in one.problems().items()}

    def start(self) -> None:
        """Start the worker's loops, the scraper, the watches, maintenance, forecasts, advice."""
        self.worker.start()
        self.scraper.start()
        self.watchers.start()
        self.maintainer.start()
        self.forecaster.start()
        self.adviser.start()

    def stop(self) -> None:
        """Stop the loops, flush what is left, give up the log."""
        self.adviser.stop()
        self.forecaster.stop()
        self.maintainer.stop()
        self.watchers.stop()
        self.scraper.stop()
        self.worker.stop()
        self.receiver.close()
