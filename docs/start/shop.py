from flask import Flask, redirect, render_template_string, session

from fin_messenger_auth.contrib.flask import FinMessenger

app = Flask(__name__)
app.secret_key = "only for this tutorial"
messenger = FinMessenger(app, user=lambda: session.get("user_id"))

PAGE = """<!doctype html>
<title>Shop</title>
<h1>Hello, {{ session.user_id or "visitor" }}</h1>
<form method="post" action="/sign-in"><button>Sign in as 42</button></form>
<form method="post" action="/sign-out"><button>Sign out</button></form>
{{ fin_messenger() }}
"""


@app.get("/")
def home():
    return render_template_string(PAGE)


@app.post("/sign-in")
def sign_in():
    session["user_id"] = "42"  # your sign-in form goes here
    return redirect("/")


@app.post("/sign-out")
def sign_out():
    session.clear()
    messenger.sign_out()
    return redirect("/")
