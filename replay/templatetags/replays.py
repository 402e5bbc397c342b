"""Figures and times in the templates of replays."""

from django import template

from replay import admin_words

register = template.Library()


@register.filter
def figure(value: int) -> str:
    """12,345"""
    return f"{value:,}"


@register.filter
def utc_hour(time_ms: int) -> str:
    """2026-11-01 12:00"""
    return admin_words.hour(time_ms)
