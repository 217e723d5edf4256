"""The producers of a room, by the ids that their owners chose."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from palaver.rooms.media import Producer

NAMESAKES: Final = 8
"""Producers with one id whose owners do not see one another's: more is beyond chance."""
REMEMBERED: Final = 64
"""Closed producers remembered, so that a repeated close is answered as a repeat."""


class Producers:
    """For each identity an id names at most one producer.

    A producer with an allow-list is absent for everybody else: even its id is free for them, or a conflict would show
    that it is there. Who makes a namesake is not told, and for those who see the older one the younger is absent until
    the older one is closed.
    """

    def __init__(self) -> None:
        self._first: dict[str, Producer] = {}
        self._namesakes: dict[str, list[Producer]] = {}
        """Id → those beside the first."""
        self._closed: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._first) + sum(map(len, self._namesakes.values()))

    def __iter__(self) -> Iterator[Producer]:
        return chain(self._first.values(), *self._namesakes.values())

    def find(self, identity: str, id: str) -> Producer | None:
        """The producer that this identity knows by this id."""
        first = self._first.get(id)
        if first is None or first.is_for(identity):
            return first
        return next((each for each in self._namesakes.get(id, ()) if each.is_for(identity)), None)

    def find_any(self, id: str) -> Producer | None:
        """The oldest of this id, whoever knows it."""
        return self._first.get(id)

    def is_taken(self, identity: str, id: str) -> bool:
        """Whether this identity cannot make a producer with this id, unless it is its own already."""
        return self.find(identity, id) is not None or len(self._namesakes.get(id, ())) >= NAMESAKES

    def add(self, producer: Producer) -> None:
        """Takes in a producer whose id is not taken, and gives it its name at the media node."""
        first = self._first.setdefault(producer.id, producer)
        if first is producer:
            producer.media_id = producer.id
            return
        namesakes = self._namesakes.setdefault(producer.id, [])
        producer.behind = (first, *namesakes)
        producer.media_id = f"{producer.id}\n{producer.peer}"  # no id has a line break
        namesakes.append(producer)

    def behind(self, producer: Producer) -> list[Producer]:
        """The younger ones of this id, which it hides from those who know of it."""
        return [each for each in self._namesakes.get(producer.id, ()) if producer in each.behind]

    def remove(self, producer: Producer) -> None:
        for younger in self.behind(producer):
            younger.behind = tuple(each for each in younger.behind if each is not producer)
        namesakes = self._namesakes.get(producer.id, [])
        if self._first[producer.id] is not producer:
            namesakes.remove(producer)
        elif namesakes:
            self._first[producer.id] = namesakes.pop(0)
        else:
            del self._first[producer.id]
        if not namesakes:
            self._namesakes.pop(producer.id, None)
        self._closed.pop(producer.id, None)
        self._closed[producer.id] = None
        if len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]

    def was_closed(self, id: str) -> bool:
        """Whether a producer with this id was closed lately."""
        return id in self._closed

    def holds(self, producer: Producer) -> bool:
        """Whether it is open."""
        return self._first.get(producer.id) is producer or producer in self._namesakes.get(producer.id, ())
