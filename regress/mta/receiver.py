"""A receiver that is not ours: aiosmtpd, for receiver.t.

receiver.py CHAIN KEY CA: listens on two ports of 127.0.0.1, which it prints.
The first insists on STARTTLS with a client certificate of CA; the second on
STARTTLS and AUTH LOGIN as ann with the password secret. Then a line of JSON
for each message.
"""
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        tls = server.transport.get_extra_info("ssl_object")
        cert = (tls.getpeercert() or {}) if tls else {}
        names = [v for rdn in cert.get("subject", ()) for k, v in rdn
                 if k == "commonName"]
        print(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.content.decode("latin-1"),
            "tls": tls.version() if tls else "",
            "client": names[0] if names else "",
            "auth": session.auth_data or "",
            "helo": session.host_name,
        }), flush=True)
        return "250 2.0.0 kept"


def who(server, session, envelope, mechanism, data):
    good = (data.login, data.password) == (b"ann", b"secret")
    return AuthResult(success=good, handled=False,
                      auth_data=f"ann by {mechanism}" if good else None)


def context(chain, key, ca):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain, key)
    if ca:
        tls.load_verify_locations(ca)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


async def main(chain, key, ca):
    loop = asyncio.get_running_loop()
    ports = []
    for more in (
        {"tls_context": context(chain, key, ca)},
        {"tls_context": context(chain, key, None), "auth_required": True,
         "authenticator": who, "auth_exclude_mechanism": ["PLAIN"]},
    ):
        def make(more=more):
            return SMTP(Keeper(), hostname="receiver.example",
                        require_starttls=True, loop=loop, **more)
        server = await loop.create_server(make, "127.0.0.1", 0)
        ports.append(str(server.sockets[0].getsockname()[1]))
    print(" ".join(ports), flush=True)
    await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
