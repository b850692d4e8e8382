"""The platforms, imitated: signed pushes out, signed order APIs in, and books of their own."""

from livehub.sandbox.box import Box
from livehub.sandbox.pushing import Pace
from livehub.sandbox.server import running

__all__ = ["Box", "Pace", "running"]
