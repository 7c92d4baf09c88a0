"""What the library costs, measured beside what it cannot do without and what people would use instead."""
