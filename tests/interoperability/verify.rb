# Verifies the cases on stdin with ruby-jwt, and prints what it read, or null where it refused.
require "json"
require "jwt"

cases = JSON.parse($stdin.read)
read = cases.map do |each|
  key = each["secret"] || OpenSSL::PKey::RSA.new(each["pem"])
  JWT.decode(each["token"], key, true, algorithm: each["alg"]).first
rescue JWT::DecodeError
  nil
end
print JSON.generate("ruby-jwt" => read)
