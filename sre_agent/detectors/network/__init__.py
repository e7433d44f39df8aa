"""Whether calls arrive: Services, Ingresses, policies, names, certificates, and what callers say of what they call."""
