//! The hub as an [`Exchange`].

use super::Hub;
use super::error::HubError;
use crate::store::StoreUnit;
use async_trait::async_trait;
use entente_sync::{
    Answer, Collection, Description, Exchange, ExchangeError, Executed, LocalExchange, Order, Page,
    ProposedMapping, Query, ReportRequest, TicketState, Unit, codes,
};

impl From<HubError> for ExchangeError {
    fn from(error: HubError) -> Self {
        let code = match &error {
            HubError::Store(_) => codes::STORE,
            _ => codes::MISCONFIGURED,
        };
        ExchangeError::new(code, error.to_string())
    }
}

#[async_trait]
impl Exchange for Hub {
    fn name(&self) -> &str {
        "hub"
    }

    async fn describe(&self) -> Result<Description, ExchangeError> {
        Ok(self.read(|connection| self.schema(connection)).await?.describe())
    }

    async fn manual(&self) -> Result<Vec<ProposedMapping>, ExchangeError> {
        Ok(Vec::new())
    }

    async fn report(&self, request: &ReportRequest) -> Result<Page, ExchangeError> {
        self.read(|connection| Ok(self.page(connection, request))).await?
    }

    async fn execute(&self, order: &Order) -> Result<Executed, ExchangeError> {
        let answers = self.write(|connection| self.carry_out(connection, order)).await?;
        Ok(Executed { answers, ..Executed::default() })
    }

    async fn collect(&self, _ticket: &str, _order: &Order) -> Result<Collection, ExchangeError> {
        // The hub never defers a change, so there are no tickets.
        Ok(Collection { answers: Vec::new(), state: TicketState::Lost })
    }

    fn can_find(&self) -> bool {
        true
    }

    async fn find(&self, query: &Query) -> Result<Vec<Vec<String>>, ExchangeError> {
        self.read(|connection| Ok(self.look_up(connection, query))).await?
    }

    fn local(&self) -> Option<&dyn LocalExchange> {
        Some(self)
    }
}

#[async_trait]
impl LocalExchange for Hub {
    async fn execute_within(&self, unit: &mut dyn Unit, order: &Order) -> Result<Vec<Answer>, ExchangeError> {
        let Some(unit) = unit.shared().downcast_ref::<StoreUnit>() else {
            return Err(ExchangeError::new(codes::STORE, "the ledger does not share the store of the hub"));
        };
        Ok(self.carry_out(unit.connection(), order)?)
    }
}
