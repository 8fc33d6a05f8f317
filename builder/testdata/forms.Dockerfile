FROM a
HEALTHCHECK NONE
RUN ["a", "b \"c\"", "\u00e9"]
RUN [ "a" ] || true
CMD [ ]
CMD
ENTRYPOINT exec top -b
ADD --checksum=sha256:00 --unpack=false http://x/y.tar /z/
ARG A=1 B
LABEL "multi word"="v w" x='single $Q' 
  USER   spaced   
# last line without an end \
RUN tail \