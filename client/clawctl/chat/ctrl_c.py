"""Ctrl-C is heard whatever the main thread waits for, also while its prompt is still being set up.

A signal that comes just before the wait for a key begins is only noted by the interpreter, and the wait goes on until
something is typed. Here each signal leaves a byte in a pipe, which is taken out when it is heard; while one lies there
the wait is interrupted again.
"""

import os
import signal
import threading
from select import select
from types import FrameType

PATIENCE_S = 0.05


class CtrlC:
    """Inside the block SIGINT raises KeyboardInterrupt in the main thread, which is the one that enters it."""

    def __enter__(self) -> None:
        self._unheard, self._noted = os.pipe()
        for end in (self._unheard, self._noted):
            os.set_blocking(end, False)
        self._is_over = threading.Event()
        self._was_heard = False
        self._wakeup = signal.set_wakeup_fd(self._noted, warn_on_full_buffer=False)
        self._handler = signal.signal(signal.SIGINT, self._heard)
        threading.Thread(target=self._insist, args=(threading.get_ident(),), daemon=True).start()

    def __exit__(self, kind: object, fault: BaseException | None, trace: object) -> None:
        signal.signal(signal.SIGINT, self._handler)
        signal.set_wakeup_fd(self._wakeup)
        self._is_over.set()
        os.close(self._noted)
        if self._was_heard and isinstance(fault, RuntimeError):  # a lock was cut short inside `threading`
            raise KeyboardInterrupt from fault

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self._was_heard = True
        try:
            os.read(self._unheard, 512)
        except BlockingIOError:
            pass
        raise KeyboardInterrupt

    def _insist(self, main: int) -> None:
        while True:
            select([self._unheard], [], [])
            if self._is_over.wait(PATIENCE_S):
                os.close(self._unheard)
                return
            if select([self._unheard], [], [], 0)[0]:
                signal.pthread_kill(main, signal.SIGINT)
