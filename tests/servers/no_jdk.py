"""A pytest plugin: a machine on which no JDK lies around."""

from operations.engines import jdks

jdks.FOLDERS = ()
jdks.JDK_PACKAGE = "no_such_package"
