-- The read position is kept for each object. Known is it where an object was listed completely; the others are listed again, and so
-- is what an interrupted report had not read.
UPDATE progress SET place = json_object(
    'objects', json((
        SELECT json_group_object(object.value, json_object(
            'bookmark', json_extract(place, '$.bookmark'),
            'read_from', json_extract(place, '$.read_from'),
            'complete', json('true')
        )) FROM json_each(place, '$.complete') AS object
    )),
    'mapping_version', json_extract(place, '$.mapping_version'),
    'open', NULL,
    'unchecked', json((
        SELECT json_group_object(object.value, json_extract(place, '$.unchecked.run'))
        FROM json_each(place, '$.unchecked.objects') AS object
    )),
    'rekey', json(iif(json_extract(place, '$.rekey'), 'true', 'false'))
);
