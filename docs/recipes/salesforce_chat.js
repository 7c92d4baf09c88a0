// Keeps Salesforce's own web chat signed in as the user of the session. Load it on every page, before Salesforce's bootstrap.
(() => {
  const verification = () => window.embeddedservice_bootstrap.userVerificationAPI;
  let request = null; // one at a time: two events in a row must not fetch two tokens

  async function identify() {
    const response = await fetch("/salesforce-identity-token", { cache: "no-store", credentials: "same-origin" });
    if (response.status === 401) return; // nobody is signed in: the visitor is a guest
    if (!response.ok) throw new Error(`No identity token: status ${response.status}`);
    const { token } = await response.json();
    verification().setIdentityToken({ identityTokenType: "JWT", identityToken: token });
  }

  function identifyOnce() {
    request ??= identify()
      .catch((error) => console.error(error))
      .finally(() => {
        request = null;
      });
  }

  window.addEventListener("onEmbeddedMessagingReady", identifyOnce); // in every tab, after every load
  window.addEventListener("onEmbeddedMessagingIdentityTokenExpired", identifyOnce); // about 30 seconds are left then

  // <form data-ends-chat> signs out: the session of the chat ends first, because clearSession is asynchronous.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-ends-chat]") || !window.embeddedservice_bootstrap) return;
    event.preventDefault();
    const patience = new Promise((resolve) => setTimeout(resolve, 3000));
    await Promise.race([Promise.resolve(verification().clearSession()).catch(console.error), patience]);
    form.submit();
  });
})();
