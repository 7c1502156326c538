"""One comment on a pull request: written the first time, edited from then on.

A line that nobody sees marks it. Only a comment of the given author that begins with that line is edited: whoever else writes such a line gets
nothing of theirs changed. Nothing here fails a job; what goes wrong is returned in words.
"""

import hashlib
import http.client
import json
import os
import re
import urllib.error
import urllib.request

# GitHub takes 65,536 characters. Bytes are counted, which are never fewer.
LONGEST = 65_000
# Seconds that one answer may take.
PATIENCE = 20


def fenced(text):
    """Shows a text as it is. The fence is longer than any in the text, so that nothing in it is Markdown."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text.strip(chr(10))}\n{fence}"


def shortened(shown, longest, ending):
    """Markdown of at most that many bytes. No character is cut, no line if that can be helped, and what is open there is closed again."""
    if len(shown.encode()) <= longest:
        return shown
    closing = 100 + max(map(len, re.findall("`+", shown)), default=0)
    kept = shown.encode()[: max(0, longest - len(ending.encode()) - closing)].decode(errors="ignore")
    line = kept.rfind("\n")
    kept = kept[:line] if line > len(kept) // 2 else kept
    open_fence = None
    for line in kept.splitlines():
        fence = re.match("`{3,}", line)
        if fence and open_fence is None:
            open_fence = fence[0]
        elif line == open_fence:
            open_fence = None
    kept += f"\n{open_fence}" if open_fence else ""
    if kept.count("<details>") > kept.count("</details>"):
        kept += "\n\n</details>"
    return kept + ending


def post(number, key, title, shown, rest, end, token, author, worth_a_new_one=True):
    """Writes the comment that `key` names. What went wrong, if something did."""
    plain = re.sub(r"[^A-Za-z0-9._/ ]+", "-", key)
    # What is not shown as it is told apart all the same.
    marker = f"<!-- cutover: {plain}{'' if plain == key else ' ' + hashlib.sha256(key.encode()).hexdigest()[:8]} -->"
    head = f"{marker}\n{title}"
    body = head + shortened(shown, LONGEST - len((head + end).encode()), rest) + end
    repository = f"{os.environ.get('GITHUB_API_URL', 'https://api.github.com')}/repos/{os.environ['GITHUB_REPOSITORY']}"
    try:
        mine = find(f"{repository}/issues/{number}/comments?per_page=100", marker, author, token)
        if mine:
            asked("PATCH", f"{repository}/issues/comments/{mine}", token, {"body": body})
        elif worth_a_new_one:
            asked("POST", f"{repository}/issues/{number}/comments", token, {"body": body})
    except urllib.error.HTTPError as error:
        if error.code in (403, 404):
            return f"this run may not comment on the pull request (HTTP {error.code}), as is usual for one from a fork"
        return f"GitHub did not take the comment (HTTP {error.code})"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"GitHub could not be asked to comment ({error})"
    return None


def find(address, marker, author, token):
    """The id of the comment that was written before."""
    origin = address.split("/repos/")[0]
    while address:
        comments, links = asked("GET", address, token)
        for comment in comments:
            begins = (comment.get("body") or "").split("\n")[0].strip() == marker
            if begins and (comment.get("user") or {}).get("login") == author:
                return comment["id"]
        following = re.search(r'<([^>]+)>;\s*rel="next"', links or "")
        address = following[1] if following else None
        # The token goes nowhere else.
        if address and not address.startswith(f"{origin}/"):
            raise ValueError(f"the next page is elsewhere: {address}")
    return None


def asked(method, address, token, document=None):
    """The answer, and where further ones are."""
    request = urllib.request.Request(address, method=method, data=json.dumps(document).encode() if document else None)
    request.add_header("Accept", "application/vnd.github+json")
    request.add_header("X-GitHub-Api-Version", "2022-11-28")
    request.add_header("User-Agent", "cutover")
    if document:
        request.add_header("Content-Type", "application/json")
    # Not sent along if the answer is a redirection.
    request.add_unredirected_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b"null"), answer.headers.get("Link")
