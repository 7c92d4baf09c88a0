"""Modules of a Django project, as mypy and pyright see them; they are never run."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from fin_messenger_auth import Company, MessengerUser
from fin_messenger_auth.contrib.django.middleware import FinMessengerMiddleware


def identify(user: AbstractBaseUser) -> MessengerUser | None:
    return MessengerUser(user.pk, name=user.get_username(), company=Company(7)) if user.is_active else None


def is_excluded(request: HttpRequest) -> bool:
    return request.path.startswith("/admin/")


FIN_MESSENGER = {"IDENTIFY": identify, "EXCLUDE": is_excluded, "PREFIX": "SHOP_", "RENEWAL": False}
MIDDLEWARE = [f"{FinMessengerMiddleware.__module__}.{FinMessengerMiddleware.__qualname__}"]


async def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


urlpatterns = [path("messenger/", include("fin_messenger_auth.contrib.django.urls")), path("", home)]
