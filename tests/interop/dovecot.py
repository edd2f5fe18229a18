"""What a configuration of Dovecot says in the words of its version: 2.4 has others than 2.3 for nearly everything."""
import subprocess

from postfix import Unavailable

BEGINNING = """\
{version}
base_dir = {work}/run
state_dir = {work}/state
log_path = {work}/log
ssl = no
default_login_user = nobody
default_internal_user = daemon
default_internal_group = daemon
first_valid_uid = 1
first_valid_gid = 1
"""

WORDS = {
    "2.3": {
        "version": "",
        "address": "address",
        "clear": "disable_plaintext_auth = no",
        "lower": "auth_username_format = %Lu",
        "maildir": "mail_location = maildir:~/Maildir",
        "passwords": "passdb {{\n  driver = passwd-file\n  args = {file}\n}}",
        "password": "passdb {{\n  driver = static\n  args = password={word}\n}}",
        "users": "userdb {{\n  driver = static\n  args = uid=nobody gid=nogroup home={home}\n}}",
        "user": "%u",
    },
    "2.4": {
        "version": "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0",
        "address": "listen",
        "clear": "auth_allow_cleartext = yes",
        "lower": "auth_username_format = %{user|lower}",
        "maildir": "mail_driver = maildir\nmail_path = ~/Maildir",
        "passwords": "passdb passwd-file {{\n  passwd_file_path = {file}\n}}",
        "password": "passdb static {{\n  password = {word}\n}}",
        "users": "userdb static {{\n  fields {{\n    uid = nobody\n    gid = nogroup\n    home = {home}\n  }}\n}}",
        "user": "%{user}",
    },
}


class Words:
    """Settings of the version that VERSION, what --version prints, begins with."""

    def __init__(self, version):
        self.words = WORDS.get(".".join(version.split(".")[:2]))
        if not self.words:
            raise Unavailable(f"dovecot {version.strip()} wants another configuration than 2.3 and 2.4")

    def __getitem__(self, name):
        return self.words[name]

    def beginning(self, work):
        return BEGINNING.format(version=self["version"], work=work)

    def passwords(self, file):
        return self["passwords"].format(file=file)

    def password(self, word):
        return self["password"].format(word=word)

    def users(self, home):
        return self["users"].format(home=home)


def words_of(program):
    return Words(subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout)
