"""What both Django examples share; a project would have this in its settings."""

from django.conf import settings


def configure(urls: str) -> None:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        MIDDLEWARE=["supertokens_python.framework.django.django_middleware.middleware"],
        ROOT_URLCONF=urls,
        USE_TZ=True,
    )
