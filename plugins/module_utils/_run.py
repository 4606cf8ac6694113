# Copyright (c) 2026, the drayage.registry contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.
# Do not use this from other collections or standalone plugins/modules!

"""The state of one task: its limits, functions that need Ansible, and its statistics."""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t

from ._process import RunCommand
from ._text import clean, forms_of, masked

_Chunk = t.TypeVar("_Chunk", bound=t.Sized)

# Token services issue tokens for as long as a task runs, so only the tokens of the latest requests are kept. Forgetting
# older ones is safe: a response can quote only the token of its own request, and this token is removed when the
# response is read, from error details (failures.py) and from warnings (session.py). The tokens kept here are for
# texts that take another way into a message, such as an address. There are far more of them than parallel requests.
_RECENT_TOKENS = 1000


class Count(t.Protocol):
    """Start a phase of a task that processes ``size`` bytes, and return its chunks, which are counted while they are read."""

    def __call__(self, phase: str, current: str, size: int, chunks: t.Iterator[_Chunk]) -> t.Iterator[_Chunk]:
        """``current`` is the object at work."""


def uncounted(phase: str, current: str, size: int, chunks: t.Iterator[_Chunk]) -> t.Iterator[_Chunk]:
    """Return the chunks without counting them."""
    return chunks


class Progress(t.Protocol):
    """Shows the progress of a task. It receives the events of :mod:`._transfer.execute`."""

    @property
    def observe(self) -> t.Callable[..., None]:
        """A function that is called with each event."""

    def enter(self, phase: str, current: str = "", size: int = 0) -> None:
        """Start a phase of the task; ``current`` is the object that it processes, and ``size`` the number of bytes."""

    def advance(self, size: int) -> None:
        """Count processed bytes of the current phase."""


class RunStats:
    """The statistics of a task: its requests, remaining quotas by host, warnings, and secrets to keep out of messages.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = 0
        self.warnings: list[str] = []
        self.quotas: dict[str, int] = {}
        self._authorizations: set[str] = set()
        self._recent_tokens: dict[str, None] = {}

    def count(self) -> None:
        """Count one request."""
        with self._lock:
            self.requests += 1

    def warn(self, text: str) -> None:
        """Add a warning for the user. Equal warnings are merged."""
        text = self.hide(clean(text))
        with self._lock:
            if text not in self.warnings:
                self.warnings.append(text)

    def note_secret(self, authorization: str) -> None:
        """Remember an Authorization value with a secret of the user, to keep it out of messages until the task ends."""
        with self._lock:
            self._authorizations.add(authorization)

    def note_sent(self, authorization: str) -> None:
        """Remember the Authorization header of a request, to keep it out of messages. Old tokens are forgotten."""
        if not authorization.startswith("Bearer "):
            self.note_secret(authorization)
            return
        with self._lock:
            self._recent_tokens.pop(authorization, None)
            self._recent_tokens[authorization] = None
            if len(self._recent_tokens) > _RECENT_TOKENS:
                del self._recent_tokens[next(iter(self._recent_tokens))]

    def hide(self, text: str) -> str:
        """Return the text without the secrets that were sent, in any form in which a server may quote them."""
        return self.hider()(text)

    def hider(self) -> t.Callable[[str], str]:
        """Return a function like :meth:`hide` for many texts, which knows the secrets that were sent until now."""
        with self._lock:
            secrets = [*self._authorizations, *self._recent_tokens]
        forms = forms_of(secrets)
        return lambda text: masked(text, forms)


@dataclasses.dataclass
class Run:
    """One task.

    ``run_command`` runs a program on the node. ``jobs`` is the number of threads for requests and transfers. With
    ``dry_run``, nothing is written.
    """

    run_command: RunCommand
    jobs: int = 32
    dry_run: bool = False
    statistics: RunStats = dataclasses.field(default_factory=RunStats)
    progress: Progress | None = None
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float | None:
        """The duration of the task so far; None for a dry run."""
        return None if self.dry_run else time.monotonic() - self.began

    def observe(self, *event: t.Any) -> None:
        """Pass an event of the executor to the progress."""
        if self.progress:
            self.progress.observe(*event)

    def enter(self, phase: str, current: str = "", size: int = 0) -> None:
        """Start a phase of the task, see :meth:`Progress.enter`."""
        if self.progress:
            self.progress.enter(phase, current, size)

    def advance(self, size: int) -> None:
        """Count processed bytes of the current phase."""
        if self.progress:
            self.progress.advance(size)

    def counted(self, phase: str, current: str, size: int, chunks: t.Iterator[_Chunk]) -> t.Iterator[_Chunk]:
        """Count chunks, see :class:`Count`."""
        if not self.progress:
            return chunks
        self.progress.enter(phase, current, size)
        return _counted(self.progress, chunks)

    def warn(self, text: str) -> None:
        """Add a warning for the user, see :meth:`RunStats.warn`."""
        self.statistics.warn(text)


def _counted(progress: Progress, chunks: t.Iterator[_Chunk]) -> t.Iterator[_Chunk]:
    for chunk in chunks:
        yield chunk
        progress.advance(len(chunk))
