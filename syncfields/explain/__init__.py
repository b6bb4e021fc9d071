"""What rules read and need, and what writes cost: said by writes that are carried out."""
