//! Real proxies in front of two versions of an application. A proxy that is not on this machine is not tested, but in CI that is a failure.

mod app;
mod clients;
mod conformance;
mod examples;
mod fronts;
mod haproxy;
mod live;
mod test_route;
mod trouble;
