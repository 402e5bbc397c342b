"""Routes of what operations shows: pages for staff, and the API with scope operate."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
