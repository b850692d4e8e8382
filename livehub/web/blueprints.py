"""Every blueprint of the web application, audience by audience."""

from __future__ import annotations

from sanic import Blueprint

from livehub.web import hooks, operations, wall

BLUEPRINTS: tuple[Blueprint, ...] = (operations.bp, hooks.bp, wall.bp)
