"""The floor: bare ASGI that reads and parses the body, and answers with a constant."""

import orjson

BODY = orjson.dumps({"predictions": [0.5]})
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))],
}
END = {"type": "http.response.body", "body": BODY}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    orjson.loads(b"".join(parts))
    await send(START)
    await send(END)
