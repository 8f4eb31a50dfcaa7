"""Propagation of a caller's trace: id, span and sampling; imported only when tracing."""

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


class TraceParent(TraceContextTextMapPropagator):
    """Propagator that reads only `traceparent`.

    A client could put anything into `tracestate` and `baggage`, which would be stored in Temporal's headers in clear.
    """

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Return the context with the caller's span, without its state."""
        found = super().extract(carrier, context, getter)
        caller = trace.get_current_span(found).get_span_context()
        if not caller.trace_state:
            return found
        kept = trace.SpanContext(caller.trace_id, caller.span_id, caller.is_remote, caller.trace_flags)
        return trace.set_span_in_context(trace.NonRecordingSpan(kept), found)
