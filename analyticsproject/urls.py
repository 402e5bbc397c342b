"""Django's own routes: the admin and whatever is not hot. The plain ASGI doors are mounted in
asgi.py."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

urlpatterns: list[URLPattern | URLResolver] = [path("admin/", admin.site.urls)]
