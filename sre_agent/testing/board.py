"""A double of the question board: what stands where, and how it came to."""

from dataclasses import dataclass, field

from sre_agent.handback.board import DigestView, Place, Question


@dataclass
class MemoryBoard:
    """handback.board.QuestionBoard. `shown` holds every look of each message, newest last; `failure` is raised by the next call.

    `lost`: the next post happens and its answer is lost (`failure` says how).
    """

    shown: dict[str, list[Question | DigestView]] = field(default_factory=dict)
    posts: int = 0
    failure: Exception | None = None
    lost: bool = False

    @property
    def questions(self) -> list[Question]:
        """How each question's message looks now, in the order they were posted."""
        return [looks[-1] for looks in self.shown.values() if isinstance(looks[-1], Question)]

    @property
    def digests(self) -> list[DigestView]:
        """How each digest looks now."""
        return [looks[-1] for looks in self.shown.values() if isinstance(looks[-1], DigestView)]

    def delete(self, message: str) -> None:
        """Somebody deletes a message."""
        del self.shown[message]

    async def show(self, question: Question, place: Place | None, *, tried: bool = False) -> Place | None:
        """See the protocol."""
        return self._stand(question, place, (tried, question.open))

    async def show_digest(self, digest: DigestView, place: Place | None, *, tried: bool = False) -> Place | None:
        """See the protocol."""
        return self._stand(digest, place, (tried, bool(digest.waiting)))

    def _stand(self, told: Question | DigestView, place: Place | None, may: tuple[bool, bool]) -> Place | None:
        tried, wanted = may
        failure, self.failure = self.failure, None
        if failure is not None and not self.lost:
            raise failure
        message = place.message if place is not None else self._find(told) if tried else None
        if message in self.shown:
            self.shown[message].append(told)
        elif not wanted:
            return None
        else:
            self.posts += 1
            message = f"m{self.posts}"
            self.shown[message] = [told]
        if failure is not None:
            self.lost = False
            raise failure
        return Place(channel="memory", message=message)

    def _find(self, told: Question | DigestView) -> str | None:
        key = _key(told)
        return next((message for message, looks in self.shown.items() if _key(looks[0]) == key), None)


def _key(told: Question | DigestView) -> str:
    return told.request.id if isinstance(told, Question) else told.id
