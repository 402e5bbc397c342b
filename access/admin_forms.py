"""Forms of the admin pages: they check what services would refuse, so that a refusal stands beside
its field."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms

from access.claims import Scope
from access.errors import BadKey, BadOrigin
from access.key_pairs import parse_public_key
from access.models import Project, SigningKey, WriteKey
from access.origins import parse_origin
from access.services import ALWAYS_GRANTED

if TYPE_CHECKING:  # django-stubs make these generic, Django does not
    ProjectModelForm = forms.ModelForm[Project]
    SigningKeyModelForm = forms.ModelForm[SigningKey]
    WriteKeyModelForm = forms.ModelForm[WriteKey]
else:
    ProjectModelForm = SigningKeyModelForm = WriteKeyModelForm = forms.ModelForm

EXTRA_SCOPES = tuple(scope for scope in Scope if scope not in ALWAYS_GRANTED)


class OriginsField(forms.CharField):
    """A list of origins, one a line."""

    widget = forms.Textarea(attrs={"rows": 4})

    def to_python(self, value: Any) -> Any:  # Any: Django's own types
        """The origins in their one form. Raises ValidationError."""
        lines = value if isinstance(value, list) else str(value or "").split()
        try:
            return sorted({parse_origin(line) for line in lines})
        except BadOrigin as exc:
            raise forms.ValidationError(str(exc)) from exc

    def prepare_value(self, value: Any) -> Any:  # Any: Django's own types
        """One a line."""
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:  # Any: Django's own types
        """Whether the lists differ."""
        return super().has_changed(self.prepare_value(initial), data)


def _origins_field() -> OriginsField:
    return OriginsField(
        required=False,
        help_text="Web pages that may send with the write key and query, one a line, such as "
        "https://shop.example; * for every page.",
    )


def _scopes_field(scopes: Sequence[Scope] = EXTRA_SCOPES) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label="Also grant",
        choices=[(scope.value, scope.value) for scope in scopes],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Ingest and query are always granted. operate reaches every project.",
    )


class GrantingForm(forms.Form):
    """What forms that grant scopes share; a subclass for each user sets `may_grant_operate`."""

    may_grant_operate = False

    def limit_scopes(self) -> None:
        """Leave out what this user may not grant."""
        if not self.may_grant_operate:
            without = [scope for scope in EXTRA_SCOPES if scope is not Scope.OPERATE]
            self.fields["extra_scopes"] = _scopes_field(without)

    def chosen_scopes(self) -> Sequence[Scope]:
        """The extra scopes that were ticked."""
        return [Scope(name) for name in self.cleaned_data["extra_scopes"]]


class ProjectAddForm(ProjectModelForm, GrantingForm):
    """A new project and what its first key grants."""

    allowed_origins = _origins_field()
    extra_scopes = _scopes_field()

    class Meta:
        """What is asked."""

        model = Project
        fields = ("name", "allowed_origins")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        super().__init__(*args, **kwargs)
        self.limit_scopes()


class ProjectChangeForm(ProjectModelForm):
    """Only the origins change; the name never does."""

    allowed_origins = _origins_field()

    class Meta:
        """What is asked."""

        model = Project
        fields = ("allowed_origins",)


class SigningKeyAddForm(SigningKeyModelForm, GrantingForm):
    """A public key that somebody pasted, or none: then a pair is made here."""

    public_key = forms.CharField(
        label="Public key",
        required=False,
        strip=True,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="PEM (-----BEGIN PUBLIC KEY-----) or a JSON Web Key. Left empty, a pair is made "
        "and its private key shown once.",
    )
    extra_scopes = _scopes_field()

    class Meta:
        """What is asked."""

        model = SigningKey
        fields = ("project", "public_key", "label")

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        super().__init__(*args, **kwargs)
        self.limit_scopes()

    def clean_public_key(self) -> str:
        """The text. Raises ValidationError for no key, or one that is registered already."""
        text: str = self.cleaned_data["public_key"]
        if not text:
            return text
        try:
            kid = parse_public_key(text).kid
        except BadKey as exc:
            raise forms.ValidationError(str(exc)) from exc
        if SigningKey.objects.filter(kid=kid).exists():
            raise forms.ValidationError(f"the key {kid} is registered already")
        return text


class SigningKeyChangeForm(SigningKeyModelForm, GrantingForm):
    """Only what the key grants changes."""

    extra_scopes = _scopes_field()

    class Meta:
        """What is asked."""

        model = SigningKey
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's own types
        super().__init__(*args, **kwargs)
        self.limit_scopes()
        self.fields["extra_scopes"].initial = self.instance.scopes

    def chosen_scopes(self) -> Sequence[Scope]:
        """What was ticked; operate stays as it was for a user who may not grant it."""
        kept = [] if self.may_grant_operate else [Scope.OPERATE]
        stays = [scope for scope in kept if scope in self.instance.granted()]
        return [*super().chosen_scopes(), *stays]


class WriteKeyAddForm(WriteKeyModelForm):
    """A new write key."""

    class Meta:
        """What is asked."""

        model = WriteKey
        fields = ("project", "label")
