"""What a client's transport is to send and receive, and on which section of its link. Pure book-keeping."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from palaver.media.link import Link
from palaver.rtc import FanOut, Outlet
from palaver.signaling.ports import Candidate, Kind, TransportHandle

MAX_EARLY_CANDIDATES = 64
"""Candidates kept until there is a description to add them to."""


class Producer:
    def __init__(self, id: str, kind: Kind, mid: str | None, paused: bool, transport: Transport) -> None:
        self.id = id
        self.kind = kind
        self.wanted_mid = mid
        self.paused = paused
        self.transport = transport
        self.mid: str | None = None
        """The section that carries it, once there is one."""
        self.source: FanOut | None = None


class Consumer:
    def __init__(self, id: str, producer: str, kind: Kind, paused: bool, transport: Transport) -> None:
        self.id = id
        self.producer = producer
        self.kind = kind
        self.paused = paused
        self.transport = transport
        self.mid: str | None = None
        self.outlet: Outlet | None = None


class Transport:
    """`lock` is held through every negotiation; the dicts keep the order of arrival, which decides who gets a
    section.
    """

    def __init__(self, handle: TransportHandle) -> None:
        self.handle = handle
        self.lock = asyncio.Lock()
        self.link: Link | None = None
        self.closed = False
        self.producers: dict[str, Producer] = {}
        self.consumers: dict[str, Consumer] = {}
        self._early: list[Candidate] = []

    def assign(self) -> None:
        """Gives every producer its source and every consumer an outlet, as far as the link has sections for
        them.

        Who has a section keeps it; the others take the free ones of their kind in order of arrival.
        """
        sources = self.link.sources if self.link is not None else {}
        outlets = self.link.outlets if self.link is not None else {}
        self._assign_producers(sources)
        for consumer in self.consumers.values():
            if consumer.mid is not None and outlets.get(consumer.mid) is not consumer.outlet:
                consumer.mid, consumer.outlet = None, None
        taken = {consumer.mid for consumer in self.consumers.values()}
        free = [
            mid for mid in outlets if mid not in taken and self.link is not None and self.link.usable(mid)
        ]
        for consumer in self.waiting():
            mid = next((mid for mid in free if outlets[mid].kind == consumer.kind), None)
            if mid is not None:
                free.remove(mid)
                consumer.mid, consumer.outlet = mid, outlets[mid]

    def _assign_producers(self, sources: dict[str, FanOut]) -> None:
        producers = self.producers.values()
        for producer in producers:
            if producer.mid not in sources:
                producer.mid = None
        taken = {producer.mid for producer in producers}
        asked_for = {producer.wanted_mid for producer in producers}
        for producer in producers:
            if producer.mid is None:
                wanted = producer.wanted_mid
                choice = [wanted] if wanted is not None else [mid for mid in sources if mid not in asked_for]
                fitting = [
                    m for m in choice if m in sources and m not in taken and sources[m].kind == producer.kind
                ]
                producer.mid = fitting[0] if fitting else None
                taken.add(producer.mid)
            producer.source = None if producer.mid is None else sources[producer.mid]
        for mid in sources.keys() - taken:
            sources[mid].plug(frozenset())

    def waiting(self) -> list[Consumer]:
        """Consumers without a section."""
        return [consumer for consumer in self.consumers.values() if consumer.mid is None]

    def bindings(self) -> dict[str, str]:
        return {consumer.id: consumer.mid for consumer in self.consumers.values() if consumer.mid is not None}

    def keep(self, candidates: Sequence[Candidate]) -> bool:
        """Queues candidates; returns whether there are any to add."""
        self._early += candidates[: MAX_EARLY_CANDIDATES - len(self._early)]
        return bool(self._early)

    def take_candidates(self) -> list[Candidate]:
        taken, self._early = self._early, []
        return taken
