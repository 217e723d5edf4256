"""Webhooks: what happens in rooms, kept durably, sent in order, signed, and there to be read again."""

from palaver.webhooks.webhooks import Webhooks as Webhooks
