"""The owner's side of telling: settings, whether they look, and a phone that does as it is told."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nightclaw.core.errors import DeliveryError
from nightclaw.core.ports import Note


@dataclass(frozen=True)
class Hours:
    start: int
    end: int


@dataclass(frozen=True)
class Place:
    """core.ports.Address; the url is the phone's name."""

    url: str
    private: bool = False


@dataclass
class Notify:
    urls: list[Place] = field(default_factory=lambda: [Place("phone")])
    quiet_hours: Hours | None = None
    per_hour: int = 100


@dataclass
class Settings:
    notify: Notify = field(default_factory=Notify)
    tz: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))


@dataclass
class Owner:
    looking: bool = False

    def is_looking(self) -> bool:
        return self.looking


class Phone:
    """A destination that does as it is told. faults: what the next attempts answer, in order; then all is well."""

    def __init__(self, name: str = "phone") -> None:
        self.name = name
        self.got: list[Note] = []
        self.attempts = 0
        self.faults: list[DeliveryError] = []
        self.down: DeliveryError | None = None

    async def deliver(self, note: Note) -> None:
        self.attempts += 1
        fault = self.faults.pop(0) if self.faults else self.down
        if fault is not None:
            raise fault
        self.got.append(note)

    @property
    def titles(self) -> list[str]:
        return [n.title for n in self.got]
