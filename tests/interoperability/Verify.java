import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Verifies with the JDK alone. A line of input: algorithm, key in Base64 (a secret, or x5c), token. */
class Verify {
  public static void main(String[] arguments) throws Exception {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] fields = line.split(" ");
      String[] parts = fields[2].split("\\.");
      byte[] message = (parts[0] + "." + parts[1]).getBytes(StandardCharsets.US_ASCII);
      byte[] signature = Base64.getUrlDecoder().decode(parts[2]);
      boolean valid = verifies(fields[0], Base64.getDecoder().decode(fields[1]), message, signature);
      byte[] payload = Base64.getUrlDecoder().decode(parts[1]);
      System.out.println(valid ? Base64.getEncoder().encodeToString(payload) : "refused");
    }
  }

  static boolean verifies(String algorithm, byte[] key, byte[] message, byte[] signature) throws Exception {
    if (algorithm.equals("HS256")) {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return MessageDigest.isEqual(mac.doFinal(message), signature);
    }
    var certificate = CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(key));
    PublicKey publicKey = certificate.getPublicKey();
    certificate.verify(publicKey); // it is signed by its own key
    Signature verifier = Signature.getInstance(algorithm.equals("RS256") ? "SHA256withRSA" : "SHA512withRSA");
    verifier.initVerify(publicKey);
    verifier.update(message);
    return verifier.verify(signature);
  }
}
