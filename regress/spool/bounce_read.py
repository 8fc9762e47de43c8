"""Reads a bounce with Python's MIME parser and prints it as JSON."""
import email
import email.policy
import json
import sys

raw = sys.stdin.buffer.read()
m = email.message_from_bytes(raw, policy=email.policy.default)
parts = list(m.iter_parts())
status = parts[1].get_payload() if len(parts) > 1 else []
out = {
    'type': m.get_content_type(),
    'report': m.get_param('report-type'),
    'header': {k.lower(): str(v) for k, v in m.items()},
    'defects': [repr(d) for p in m.walk() for d in p.defects],
    'parts': [p.get_content_type() for p in parts],
    'text': parts[0].get_content(),
    'status': [{k.lower(): ' '.join(str(v).split()) for k, v in b.items()}
               for b in status],
    'original': parts[2].get_payload(decode=True).decode('latin-1'),
    'encodings': [str(p['content-transfer-encoding'] or '') for p in parts],
    'longest': max(len(l) for l in raw.split(b'\r\n')),
    'bare': raw.replace(b'\r\n', b'').count(b'\n')
            + raw.replace(b'\r\n', b'').count(b'\r'),
    'end': raw.endswith(b'--\r\n'),
}
json.dump(out, sys.stdout)
