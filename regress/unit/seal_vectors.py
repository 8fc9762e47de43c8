#!/usr/bin/env python3
# The known answers of seal.c and keyring.c, made from the words of spool.5 and
# smtpd-keys.5 alone, with python's own hmac and hashlib and, for AES-GCM, the
# package python3-cryptography. Run by hand when the form changes.
import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def sha(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def derive(secret, salt, info):
    return sha(sha(salt, secret), info.encode() + b"\x01")


def salt_word(secret, salt):
    return base64.b64encode(
        salt + sha(secret, b"spoolkit-fingerprint-1")[:6]).decode()


secret = bytes(range(32))
data_key = bytes(range(32, 64))
salt = bytes(range(64, 76))
kid = "home-key-2026-11"
msgid = "3f9a0c41d7b2"
evpid = msgid + "0001"
zero = bytes(12)

info = "spoolkit-key-1 " + msgid
aad = info + " " + kid
wrapped = AESGCM(derive(secret, salt, info)).encrypt(
    zero, data_key, aad.encode())
print("slot", "key=%s %s %s" % (
    kid, salt_word(secret, salt), base64.b64encode(wrapped).decode()))


def segment(n, last, clear):
    nonce = bytes(3) + n.to_bytes(8, "big") + bytes([last])
    words = "spoolkit-message-1 %s aes-256-gcm" % msgid
    if last:
        words += " record=412 size=65130"
    return AESGCM(data_key).encrypt(nonce, clear, words.encode())


print("segment 0, not last, 65536 of 'a': sha256",
      hashlib.sha256(segment(0, 0, b"a" * 65536)).hexdigest())
print("segment 1, last, 'hello'", segment(1, 1, b"hello").hex())
print("segment 0, last, ''", segment(0, 1, b"").hex())

text = b"spool-envelope: 1\nid: " + evpid.encode() + b"\n" + b"x" * 60 + b"\n"
head = "spoolkit-envelope 1 %s 4 %s %s" % (evpid, kid, salt_word(secret, salt))
sealed = AESGCM(derive(secret, salt, "spoolkit-text-1 " + evpid)).encrypt(
    zero, text, (head + "\nenvelope").encode())
print(head)
for at in range(0, len(sealed), 57):
    print(base64.b64encode(sealed[at:at + 57]).decode())

outer_salt = bytes(range(80, 98))
outer = hashlib.scrypt(b"correct horse", salt=outer_salt, n=1 << 10, r=8, p=1,
                       dklen=32)
nonce = bytes(range(100, 112))
print("scrypt 10 8 1", base64.b64encode(outer_salt).decode())
print(kid, "active 2026-11-22T13:21:09Z aes-256-gcm",
      base64.b64encode(nonce + AESGCM(outer).encrypt(
          nonce, secret, ("spoolkit-ring-1 " + kid).encode())).decode())
