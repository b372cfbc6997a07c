//! Learning from what users do: moving mail into Junk or out of it, and the keywords of mail
//! programs. See [`mail::judgements`].

use std::time::Duration;

use mail::{Judgement, Mail};
use tokio::time::sleep;

use crate::engine::Filter;

/// Judgements that are taken at a time.
const BATCH: u32 = 50;
/// How long to wait when something fails.
const PAUSE: Duration = Duration::from_secs(30);

impl Filter {
    /// Learns from what users judge, until the process ends.
    pub async fn learn_from_users(self, mail: Mail) {
        let mut changes = mail.db().hub().task();
        loop {
            match self.learn_batch(&mail).await {
                Ok(0) => {
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "what users judged could not be learned");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Learns some judgements and forgets them; says how many there were.
    async fn learn_batch(
        &self,
        mail: &Mail,
    ) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        let now = self.options().clock.now().0;
        let batch: Vec<Judgement> = mail
            .db()
            .read(move |rx| mail::judgements(rx, now, BATCH))
            .await?;
        for judgement in &batch {
            let octets = match mail.message_bytes(judgement.message).await {
                Ok(octets) => octets,
                // It was deleted meanwhile: there is nothing to learn from.
                Err(error) => {
                    tracing::debug!(%error, "a judged message is gone");
                    continue;
                }
            };
            let account = Some(judgement.account);
            let taught = self.teach(account, judgement.opinion, octets).await;
            match taught {
                Ok(_) | Err(learn::Error::NoAccount) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let done = batch.len();
        if done > 0 {
            mail.db()
                .write(move |tx| mail::forget_judgements(tx, &batch))
                .await?;
        }
        Ok(done)
    }
}
