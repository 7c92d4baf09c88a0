# frozen_string_literal: true

# ruby-jwt, with the PEM parsed on each call as Intercom's article has it, and with the key parsed once.
# Reads one JSON object a line and answers with one: {setup: …} -> {names}, {show} -> {tokens},
# {run, kind, count} -> {seconds}, by its own clock.
require "json"
require "jwt"
require "openssl"

def contestants_of(setup)
  secret, pem, kid, issuer, audience, user_id, lifetime, more =
    setup.values_at("secret", "pem", "kid", "issuer", "audience", "user_id", "lifetime", "more")
  key = OpenSSL::PKey::RSA.new(pem)
  headers = { typ: "JWT", kid: kid }
  intercom = lambda do
    JWT.encode({ user_id: user_id, exp: Time.now.to_i + lifetime, **more }, secret, "HS256", { typ: "JWT" })
  end
  claims = lambda do
    now = Time.now.to_i
    { iss: issuer, sub: user_id, aud: audience, exp: now + lifetime, iat: now }
  end
  {
    "ruby-jwt, as in the article" => [
      intercom, -> { JWT.encode(claims.call, OpenSSL::PKey::RSA.new(pem), "RS256", headers) }
    ],
    "ruby-jwt, key parsed" => [intercom, -> { JWT.encode(claims.call, key, "RS256", headers) }]
  }
end

def seconds_for(signing, kind, count)
  intercom, salesforce = signing
  start = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  count.times do
    intercom.call
    salesforce.call if kind == "pair"
  end
  Process.clock_gettime(Process::CLOCK_MONOTONIC) - start
end

contestants = {}
$stdout.sync = true
$stdin.each_line do |line|
  request = JSON.parse(line)
  answer =
    if request["setup"]
      contestants = contestants_of(request["setup"])
      { names: contestants.keys }
    elsif request["show"]
      { tokens: contestants.fetch(request["show"]).map(&:call) }
    else
      { seconds: seconds_for(contestants.fetch(request["run"]), request["kind"], request["count"]) }
    end
  puts JSON.generate(answer)
end
